import {
  decodeDrainRequest,
  decodeLogLevelRequest,
  decodeReadOnlyRequest,
  encodeJsonData,
  encodeValueResponse,
  ResultCode,
  responseText,
} from '@sluice/wire';
import type { CommandHandler, Session } from '../protocol.js';
import type { ServerControls } from '../server-controls.js';
import { audit, requireAdmin } from './permission.js';

/** What an operator does to the server as a whole. docs/protocol.md, section 17. */
export function serverCommands(session: Session, controls: ServerControls): [string, CommandHandler][] {
  return [
    [
      'stats',
      ({ command }) => {
        requireAdmin(session);
        session.reply(responseText(command, ResultCode.Success), encodeJsonData(controls.stats()));
      },
    ],
    [
      'drain',
      ({ command, text }) => {
        const graceMs = decodeDrainRequest(text);
        requireAdmin(session);
        audit(session, 'drain', graceMs === undefined ? {} : { graceMs });
        session.reply(responseText(command, ResultCode.Success));
        controls.drain(graceMs);
      },
    ],
    [
      'readonly',
      ({ command, text }) => {
        const value = decodeReadOnlyRequest(text);
        requireAdmin(session);
        if (value !== undefined) {
          controls.isReadOnly = value;
          audit(session, 'read-only', { value });
        }
        session.reply(encodeValueResponse(command, controls.isReadOnly ? 'on' : 'off'));
      },
    ],
    [
      'loglevel',
      ({ command, text }) => {
        const level = decodeLogLevelRequest(text, controls.logLevels);
        requireAdmin(session);
        if (level !== undefined) {
          controls.logLevel = level;
          audit(session, 'log-level', { value: level });
        }
        session.reply(encodeValueResponse(command, controls.logLevel));
      },
    ],
    [
      'reload',
      async ({ command }) => {
        requireAdmin(session);
        const results = await controls.reload();
        audit(session, 'reload', { isOk: results.every(({ isOk }) => isOk) });
        session.reply(responseText(command, ResultCode.Success), encodeJsonData(results));
      },
    ],
  ];
}
