import { defineConfig } from 'vitest/config';

// One browser at a time: the pages draw in software, and two would only slow each other down.
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    environment: 'node',
    fileParallelism: false,
    testTimeout: 90_000,
    hookTimeout: 90_000,
  },
});
