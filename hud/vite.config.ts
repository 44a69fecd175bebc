import { defineConfig } from 'vite';

// The bundle is committed: names follow content, nothing in it depends on the machine or the time of the build.
export default defineConfig({
  base: './',
  build: {
    target: 'es2022',
    outDir: '../spymaster/serving/static',
    emptyOutDir: true,
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  worker: { format: 'es' },
  server: { proxy: { '/v1': { target: 'http://127.0.0.1:8787', ws: true } } },
});
