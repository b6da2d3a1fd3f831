import { signal } from '@preact/signals';

export const THEMES = ['system', 'light', 'dark'] as const;

export type Theme = (typeof THEMES)[number];

const STORED = 'sluice-theme';

/** How the page looks; `system` is as the machine is set. */
export const theme = signal<Theme>(storedTheme());

/** Rises when colours have changed, by choice or because the machine's setting has: what is drawn on a canvas is drawn anew. */
export const colorsVersion = signal(0);

export function chooseTheme(chosen: Theme): void {
  theme.value = chosen;
  applyTheme();
  try {
    localStorage.setItem(STORED, chosen);
  } catch {
    // a browser that keeps nothing forgets it with the page
  }
}

export function applyTheme(): void {
  document.documentElement.dataset['theme'] = theme.value;
  colorsVersion.value += 1;
}

export function followSystemTheme(): void {
  applyTheme();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    colorsVersion.value += 1;
  });
}

function storedTheme(): Theme {
  try {
    return THEMES.find((each) => each === localStorage.getItem(STORED)) ?? 'system';
  } catch {
    return 'system';
  }
}
