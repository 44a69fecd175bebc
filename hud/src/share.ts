/** Saves what is on screen as a picture that says where it comes from. */
import type { App } from './app.ts';
import { el } from './panels/dom.ts';

export function savePicture(app: App): void {
  const model = app.model();
  const { manifest, labels, second } = model;
  const origin = manifest.simulated ? 'SIMULATED · ' : '';
  const footer = `${origin}Spymaster · ${manifest.symbol} ${manifest.contract} · ${manifest.dt} ${labels.full(second)} ${labels.short} · ${app.store.state.mode.toUpperCase()} · depth in contracts, palette ${app.store.state.magnitude} · data ${manifest.dataVersion.slice(0, 8)}`;
  app.stage.picture(model, footer).toBlob((blob) => {
    if (!blob) return;
    const link = el('a');
    link.href = URL.createObjectURL(blob);
    link.download = `spymaster-${manifest.symbol}-${manifest.dt}-${labels.full(second).replaceAll(':', '')}${manifest.simulated ? '-simulated' : ''}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
}
