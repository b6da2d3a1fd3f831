import { escapeControls } from './terminal-text.js';

/** One line for standard error, from whatever a message holds: names are made harmless, passwords are taken out. */
export function messageLine(message: string): string {
  return `sluice: ${escapeControls(withoutPasswords(message))}`;
}

/** An operand is sometimes quoted before anyone has understood it as a URL. */
export function withoutPasswords(message: string): string {
  return message.replace(/(sluice:\/\/[^/:@]*):[^/]*@/gi, '$1:***@');
}
