import { useState } from 'preact/hooks';
import { useDashboard } from '../app/context.js';
import type { OpenQuestion } from '../app/questions.js';
import { Modal, TextField } from './modal.js';

/** Asks what `Questions` has to ask. */
export function QuestionDialog() {
  const { questions } = useDashboard();
  const question = questions.open.value;
  return question ? <AskedQuestion key={question.title} question={question} /> : null;
}

function AskedQuestion({ question }: { readonly question: OpenQuestion }) {
  const { title, text, action, isDangerous = false, input, answer } = question;
  const [entered, setEntered] = useState(input?.value ?? '');
  const [isTried, setTried] = useState(false);
  const problem = input?.problem(entered);
  const submit = (): void => {
    setTried(true);
    if (problem === undefined) answer(entered);
  };
  return (
    <Modal
      title={title}
      text={text}
      action={action}
      isDangerous={isDangerous}
      onCancel={() => answer(undefined)}
      onSubmit={submit}
    >
      {input && (
        <TextField
          label={input.label}
          testId="dialog-input"
          value={entered}
          selectedLength={input.selectedLength ?? entered.length}
          problem={isTried ? problem : undefined}
          onInput={setEntered}
        />
      )}
    </Modal>
  );
}
