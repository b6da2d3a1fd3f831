import { type CommandText, decodeCommandText, decodeResponse, type Response } from '@sluice/wire';

/** The command text of a text, or of bytes. */
export function textOf(text: string | Uint8Array): CommandText {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  return decodeCommandText(bytes, 0, bytes.length);
}

export function responseOf(text: string | Uint8Array): Response {
  return decodeResponse(textOf(text));
}
