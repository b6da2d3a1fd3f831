import { decodeExplainRequest, encodeJsonData, RequestError, ResultCode, responseText } from '@sluice/wire';
import { whenKnown } from '../coordination/answer.js';
import type { Answer } from '../coordination/coordinator.js';
import type { CommandHandler, Session } from '../protocol.js';
import type { ServerControls } from '../server-controls.js';
import { requireAdmin } from './permission.js';

/** What has happened on a connection, and which ones have ended lately. docs/protocol.md, section 17.18. */
export function explainCommand(session: Session, { flights }: ServerControls): [string, CommandHandler] {
  return [
    'explain',
    ({ command, text }) => {
      const id = decodeExplainRequest(text);
      requireAdmin(session);
      const answer: Answer<object | undefined> = id === undefined ? flights.closed() : flights.explain(id);
      return whenKnown(answer, (told) => {
        if (told === undefined)
          throw new RequestError(
            ResultCode.ParameterError,
            `connection ${id} is not open, and not among those remembered`,
          );
        session.reply(responseText(command, ResultCode.Success), encodeJsonData(told));
      });
    },
  ];
}
