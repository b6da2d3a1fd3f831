import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { useDashboard } from '../app/context.js';
import type { OpenQuestion } from '../app/questions.js';
import { Button } from './button.js';

/** Asks what `Questions` has to ask. */
export function QuestionDialog() {
  const { questions } = useDashboard();
  const question = questions.open.value;
  return question ? <AskedQuestion key={question.title} question={question} /> : null;
}

function AskedQuestion({ question }: { readonly question: OpenQuestion }) {
  const { title, text, action, isDangerous = false, input, answer } = question;
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [entered, setEntered] = useState(input?.value ?? '');
  const field = useRef<HTMLInputElement>(null);
  const [isTried, setTried] = useState(false);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    field.current?.setSelectionRange(0, input?.selectedLength ?? field.current.value.length);
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const problem = input?.problem(entered);
  const submit = (event: Event): void => {
    event.preventDefault();
    setTried(true);
    if (problem === undefined) answer(entered);
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does the same, by onCancel
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-text`}
      onCancel={(event) => {
        event.preventDefault();
        answer(undefined);
      }}
      onClick={(event) => {
        if (event.target === dialog.current) answer(undefined);
      }}
    >
      <form class="dialog-body" onSubmit={submit}>
        <h2 id={`${id}-title`}>{title}</h2>
        <p id={`${id}-text`}>{text}</p>
        {input && (
          <label class="field">
            <span>{input.label}</span>
            <input
              ref={field}
              type="text"
              data-testid="dialog-input"
              autocomplete="off"
              spellcheck={false}
              value={entered}
              aria-invalid={isTried && problem !== undefined}
              aria-errormessage={`${id}-problem`}
              onInput={(event) => setEntered(event.currentTarget.value)}
            />
            <span id={`${id}-problem`} class="field-problem" role="alert">
              {isTried && problem}
            </span>
          </label>
        )}
        <div class="dialog-actions">
          <Button onClick={() => answer(undefined)} testId="dialog-cancel">
            Cancel
          </Button>
          <Button type="submit" kind={isDangerous ? 'danger' : 'primary'} testId="dialog-confirm">
            {action}
          </Button>
        </div>
      </form>
    </dialog>
  );
}
