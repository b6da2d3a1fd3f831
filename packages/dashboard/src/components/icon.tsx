/** Lines on a field of 24 by 24. */
const SHAPES = {
  overview: 'M4 19V11M10 19V5M16 19v-6M21 19H3',
  connections: 'M8 7h12M8 12h12M8 17h12M4 7h.01M4 12h.01M4 17h.01',
  transfers: 'M7 20V5M7 5 3.5 8.5M7 5l3.5 3.5M17 4v15M17 19l-3.5-3.5M17 19l3.5-3.5',
  files: 'M3 7a2 2 0 0 1 2-2h4l2 2.5h8a2 2 0 0 1 2 2V17a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2Z',
  log: 'M5 4h14v16H5zM8.5 8.5h7M8.5 12h7M8.5 15.5h4',
  speed: 'M4.5 18a9 9 0 1 1 15 0M12 14l4.5-5M12 14h.01',
  users:
    'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M16 4.3a3.5 3.5 0 0 1 0 6.4M18.5 14.5c1.9.9 3 2.8 3 5.5',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4',
  folder: 'M3 7a2 2 0 0 1 2-2h4l2 2.5h8a2 2 0 0 1 2 2V17a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2Z',
  'new-folder': 'M3 7a2 2 0 0 1 2-2h4l2 2.5h8a2 2 0 0 1 2 2V17a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2ZM12 10.5v5M9.5 13h5',
  upload: 'M12 16V4M12 4 7 9M12 4l5 5M4 16v4h16v-4',
  download: 'M12 4v12M12 16l-5-5M12 16l5-5M4 17v3h16v-3',
  trash: 'M4 7h16M9 7V4h6v3M6.5 7l1 13h9l1-13M10 11v5M14 11v5',
  rename: 'M4 20h4L19 9l-4-4L4 16ZM13 7l4 4',
  verify: 'M12 3l7 3v5c0 4.5-3 8-7 10-4-2-7-5.5-7-10V6ZM8.5 12l2.5 2.5L15.5 9.5',
  close: 'M6 6l12 12M18 6 6 18',
  menu: 'M4 7h16M4 12h16M4 17h16',
  pause: 'M8 5v14M16 5v14',
  play: 'M8 5l11 7-11 7Z',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM15.5 15.5 20 20',
  up: 'M12 19V6M12 6l-5 5M12 6l5 5',
  down: 'M12 5v13M12 18l-5-5M12 18l5-5',
  retry: 'M20 12a8 8 0 1 1-2.5-5.8M20 3v4.5h-4.5',
  kick: 'M10 4H5v16h5M14 8l4 4-4 4M18 12H9',
  logout: 'M10 4H5v16h5M14 8l4 4-4 4M18 12H9',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  warning: 'M12 4 2.5 20h19ZM12 10v5M12 17.5h.01',
  check: 'M5 12.5l4.5 4.5L19 7',
  sun: 'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z',
  system: 'M3 5h18v11H3zM9 20h6M12 16v4',
  home: 'M4 11l8-7 8 7M6.5 9.5V20h11V9.5',
  plus: 'M12 5v14M5 12h14',
  edit: 'M4 20h4L19.5 8.5l-4-4L4 16ZM13 7l4 4',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
} as const;

export type IconName = keyof typeof SHAPES;

/** A picture that says nothing by itself: a text beside it, or the label of its button, does. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={SHAPES[name]} />
    </svg>
  );
}

/** The sign of Sluice. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path d="M6 12.5c3.3 0 3.3 2.6 6.7 2.6s3.3-2.6 6.6-2.6S22.6 15.1 26 15.1M6 18.5c3.3 0 3.3 2.6 6.7 2.6s3.3-2.6 6.6-2.6 3.3 2.6 6.7 2.6" />
    </svg>
  );
}
