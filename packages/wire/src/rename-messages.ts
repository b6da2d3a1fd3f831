import { type CommandText, type Field, requestText } from './command-text.js';
import { optionalChoice, requiredDirName, requiredKey } from './keys.js';
import { Command, Key } from './names.js';

/** What becomes of a file that has the target's name. A directory gives way to nothing, and replaces nothing. */
export const IF_TARGET_EXISTS = ['fail', 'replace'] as const;
export type IfTargetExists = (typeof IF_TARGET_EXISTS)[number];

/** Extension: gives a file or a directory another name, in the same directory or in another one. docs/protocol.md, section 17.19. */
export interface RenameRequest {
  readonly dirName: string;
  /** Of a file, or of a directory. */
  readonly fileName: string;
  readonly targetDir: string;
  readonly targetName: string;
  /** @default 'fail', not written */
  readonly ifExists?: IfTargetExists | undefined;
}

export function encodeRenameRequest(request: RenameRequest): Uint8Array {
  const fields: Field[] = [
    [Key.DirName, request.dirName],
    [Key.FileName, request.fileName],
    [Key.TargetDir, request.targetDir],
    [Key.TargetName, request.targetName],
  ];
  if (request.ifExists !== undefined) fields.push([Key.IfExists, request.ifExists]);
  return requestText(Command.Rename, fields);
}

/** @throws {RequestError} code 6 */
export function decodeRenameRequest(text: CommandText): RenameRequest {
  return {
    dirName: requiredDirName(text),
    fileName: requiredKey(text, Key.FileName),
    targetDir: requiredKey(text, Key.TargetDir),
    targetName: requiredKey(text, Key.TargetName),
    ifExists: optionalChoice(text, Key.IfExists, IF_TARGET_EXISTS),
  };
}
