import type { HandedSocketMessage } from '@sluice/core';

/** What goes between the supervisor and a worker: with `socket` comes a connection, to be served by the worker. */
export type ChannelMessage =
  | HandedSocketMessage
  /** What a `MessageLink` sends. */
  | { readonly link: unknown }
  /** The first message that a worker gets. */
  | { readonly start: unknown };
