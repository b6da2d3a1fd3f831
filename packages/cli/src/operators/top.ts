import { setTimeout as pause } from 'node:timers/promises';
import { ClientError, type ControlClient, type RetryInfo } from '@sluice/client';
import type { Invocation } from '../command.js';
import { usageError } from '../command-error.js';
import type { topOptions } from '../commands/top.js';
import { environment } from '../environment.js';
import { ExitCode } from '../exit-code.js';
import { describeFailure } from '../failure.js';
import { Interruption } from '../interruption.js';
import { addressText } from '../options/address.js';
import { retryText } from '../retry-text.js';
import { FullScreen, hasFullScreen, type Key } from '../terminal/full-screen.js';
import { openControl } from './control-connection.js';
import { ServerFigures } from './server-figures.js';
import { serverOperand } from './server-operand.js';
import { topLines } from './top-lines.js';
import { type TopAction, TopModel } from './top-model.js';

/** Ages go on, even while the server has nothing to tell. */
const REDRAW_EVERY_MS = 1000;

/** `sluice top`. */
export async function top({ operands, options }: Invocation<typeof topOptions>): Promise<number> {
  const { endpoint } = serverOperand('top', operands, 0);
  if (!hasFullScreen())
    throw usageError('top needs a terminal: into a pipe, use sluice clients or sluice clients --json');
  using interruption = new Interruption();
  const view = new TopView(new TopModel(options.sort, options.filter ?? '', Date.now), interruption);
  const { user, ...address } = { user: endpoint.userName, host: endpoint.host, port: endpoint.port };
  view.title = `${user === undefined ? '' : `${user}@`}${addressText(address)}`;
  await using control = await openControl(endpoint, options, interruption.signal, view.onRetry);
  return await view.run(control, options.interval);
}

/** The model on the terminal, fed by a server. */
class TopView {
  title = '';
  readonly #model: TopModel;
  readonly #interruption: Interruption;
  readonly #figures = new ServerFigures();
  readonly #quit = new AbortController();
  #control: ControlClient | undefined;
  #screen: FullScreen | undefined;
  #retry: { readonly info: RetryInfo; readonly atMs: number } | undefined;
  #isDrawingDue = false;

  constructor(model: TopModel, interruption: Interruption) {
    this.#model = model;
    this.#interruption = interruption;
  }

  readonly onRetry = (info: RetryInfo): void => {
    this.#retry = { info, atMs: performance.now() + info.delayMs };
    this.#drawSoon();
  };

  /** Until a key or a signal ends it. @returns the exit code @throws what ends the connection for good */
  async run(control: ControlClient, intervalMs: number): Promise<number> {
    this.#control = control;
    using screen = FullScreen.open({
      onKey: (key) => this.#onKey(key),
      onBlank: () => this.#draw(),
      onGone: () => this.#interruption.interrupt(),
    });
    this.#screen = screen;
    const timer = setInterval(() => this.#draw(), REDRAW_EVERY_MS);
    const signal = AbortSignal.any([this.#interruption.signal, this.#quit.signal]);
    this.#draw();
    const polling = this.#pollFigures(control, Math.max(intervalMs, REDRAW_EVERY_MS), signal);
    try {
      for await (const clients of control.watch({ intervalMs, signal })) {
        this.#retry = undefined;
        this.#model.show(clients);
        this.#drawSoon();
      }
      return ExitCode.Done;
    } catch (error) {
      if (this.#interruption.signal.aborted) return ExitCode.Interrupted;
      if (this.#quit.signal.aborted) return ExitCode.Done;
      throw error;
    } finally {
      clearInterval(timer);
      this.#quit.abort();
      await polling;
      this.#screen = undefined;
    }
  }

  #onKey(key: Key): void {
    const action = this.#model.press(key);
    if (action) this.#act(action);
    this.#drawSoon();
  }

  #act(action: TopAction): void {
    if (action.kind === 'kick') void this.#kick(action.client.id ?? 0);
    else if (action.kind === 'quit') this.#quit.abort();
    else if (action.kind === 'interrupt') this.#interruption.interrupt();
    else if (action.kind === 'suspend') this.#screen?.suspend();
    else this.#screen?.blank();
  }

  async #kick(id: number): Promise<void> {
    const model = this.#model;
    model.message = `ending connection ${id}`;
    try {
      const count = await this.#control?.kick({ id }, { signal: this.#quit.signal });
      model.message = count === 0 ? `connection ${id} is gone already` : `connection ${id} ended`;
    } catch (error) {
      model.message = `connection ${id} not ended: ${describeFailure(error).message}`;
    }
    this.#drawSoon();
  }

  /** Statistics are for admins, and for servers that have them: without, the line is shorter. */
  async #pollFigures(control: ControlClient, intervalMs: number, signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        try {
          this.#figures.update(await control.stats({ signal }));
          this.#drawSoon();
        } catch (error) {
          if (!(error instanceof ClientError) || !error.retryable) return;
        }
        await pause(intervalMs, undefined, { signal });
      }
    } catch {
      // called off
    }
  }

  /** Many keys of one moment make one drawing. */
  #drawSoon(): void {
    if (this.#isDrawingDue) return;
    this.#isDrawingDue = true;
    setImmediate(() => {
      this.#isDrawingDue = false;
      this.#draw();
    });
  }

  #draw(): void {
    const screen = this.#screen;
    if (!screen) return;
    const { columns, rows } = screen;
    const around = { title: this.title, figures: this.#figures.texts, trouble: this.#troubleText() };
    const layout = { columns, rows, hasColours: environment.wantsColours };
    screen.draw(topLines(this.#model, around, layout, Date.now()));
  }

  #troubleText(): string | undefined {
    return this.#retry && retryText(this.#retry.info, Math.max(0, this.#retry.atMs - performance.now()));
  }
}
