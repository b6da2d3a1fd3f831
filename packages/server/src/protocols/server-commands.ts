import {
  decodeDrainRequest,
  decodeLogLevelRequest,
  decodeReadOnlyRequest,
  encodeJsonData,
  encodeValueResponse,
  ResultCode,
  responseText,
} from '@sluice/wire';
import { whenKnown } from '../coordination/answer.js';
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
        return whenKnown(controls.stats(), (stats) => {
          session.reply(responseText(command, ResultCode.Success), encodeJsonData(stats));
        });
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
        const reply = (): void => session.reply(encodeValueResponse(command, controls.isReadOnly ? 'on' : 'off'));
        if (value === undefined) return reply();
        audit(session, 'read-only', { value });
        return whenKnown(controls.setReadOnly(value), reply);
      },
    ],
    [
      'loglevel',
      ({ command, text }) => {
        const level = decodeLogLevelRequest(text, controls.logLevels);
        requireAdmin(session);
        const reply = (): void => session.reply(encodeValueResponse(command, controls.logLevel));
        if (level === undefined) return reply();
        return whenKnown(controls.setLogLevel(level), () => {
          audit(session, 'log-level', { value: level });
          reply();
        });
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
