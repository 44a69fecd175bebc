/** Panel column: what matters now on top, the rest in tabs; on narrow screens everything is a tab. */
import { el } from './dom.ts';
import type { Model, Panel } from './model.ts';

export class Tabs implements Panel {
  readonly root: HTMLElement;
  private readonly pages = new Map<string, { tab: HTMLButtonElement; page: HTMLElement; panel: Panel | null }>();
  private current: string;
  private model: Model | null = null;
  private narrow = matchMedia('(max-width: 79.99em)');

  constructor(
    tabs: readonly (readonly [string, string, Panel])[],
    pinned: readonly (readonly [string, string, HTMLElement])[],
  ) {
    const list = el('div', { class: 'tablist', role: 'tablist', 'aria-label': 'panels' });
    const body = el('div', { class: 'tabbody', role: 'region', 'aria-label': 'panel' });
    // What scrolls must be reachable by keys.
    body.tabIndex = 0;
    const add = (id: string, name: string, content: HTMLElement, panel: Panel | null, className: string): void => {
      const tab = el(
        'button',
        { type: 'button', role: 'tab', id: `tab-${id}`, 'aria-controls': `page-${id}`, class: className },
        name,
      );
      const page = el('div', { role: 'tabpanel', id: `page-${id}`, 'aria-labelledby': `tab-${id}` }, content);
      tab.onclick = () => this.show(id);
      list.append(tab);
      body.append(page);
      this.pages.set(id, { tab, page, panel });
    };
    const top = el('div', { class: 'pinned', role: 'region', 'aria-label': 'this second' });
    top.tabIndex = 0;
    for (const [id, name, content] of pinned) add(id, name, content, null, 'narrow-only');
    for (const [id, name, panel] of tabs) add(id, name, panel.root, panel, '');
    this.root = el('aside', { class: 'panels', 'aria-label': 'panels' }, top, list, body);
    this.current = pinned[0]?.[0] ?? tabs[0]![0];
    const place = (): void => {
      const first = pinned[0]![0];
      const { page } = this.pages.get(first)!;
      if (this.narrow.matches) body.prepend(page);
      else top.append(page);
      if (!this.narrow.matches && this.current === first) this.current = tabs[0]![0];
      this.show(this.narrow.matches && this.current !== first ? first : this.current);
    };
    this.narrow.addEventListener('change', place);
    place();
  }

  show(id: string): void {
    this.current = id;
    this.root.dataset.tab = id;
    for (const [name, { tab, page }] of this.pages) {
      const pinned = page.parentElement?.classList.contains('pinned') ?? false;
      const on = name === id;
      tab.setAttribute('aria-selected', String(on));
      page.hidden = !on && !pinned;
    }
    // A hidden panel may have skipped updates.
    if (this.model) this.pages.get(id)?.panel?.update(this.model);
  }
  update(model: Model): void {
    this.model = model;
    for (const { panel } of this.pages.values()) panel?.update(model);
  }
}
