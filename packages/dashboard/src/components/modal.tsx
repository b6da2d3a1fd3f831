import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { Button } from './button.js';

interface ModalProps {
  readonly title: string;
  readonly text: string;
  /** What the button says that does it. */
  readonly action: string;
  readonly isDangerous?: boolean;
  readonly isBusy?: boolean;
  readonly onCancel: () => void;
  readonly onSubmit: () => void;
  /** Fields. */
  readonly children?: ComponentChildren;
}

/** A window over the page, with a form: the focus stays in it, and goes back to where it was. */
export function Modal({
  title,
  text,
  action,
  isDangerous = false,
  isBusy = false,
  onCancel,
  onSubmit,
  children,
}: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does the same, by onCancel
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-text`}
      onCancel={(event) => {
        event.preventDefault();
        onCancel();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onCancel();
      }}
    >
      <form
        class="dialog-body"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit();
        }}
      >
        <h2 id={`${id}-title`}>{title}</h2>
        <p id={`${id}-text`}>{text}</p>
        {children}
        <div class="dialog-actions">
          <Button onClick={onCancel} testId="dialog-cancel">
            Cancel
          </Button>
          <Button type="submit" kind={isDangerous ? 'danger' : 'primary'} isDisabled={isBusy} testId="dialog-confirm">
            {action}
          </Button>
        </div>
      </form>
    </dialog>
  );
}

interface TextFieldProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (text: string) => void;
  /** What is wrong with it; shown when it is given. */
  readonly problem?: string | undefined;
  readonly hint?: string;
  readonly type?: 'text' | 'password' | 'date';
  readonly autocomplete?: string;
  /** How many characters are selected at the beginning, so that typing replaces them. @default as the browser does it */
  readonly selectedLength?: number;
  readonly testId?: string;
}

/** A text that is asked for, with what is wrong with it below. */
export function TextField({
  label,
  value,
  onInput,
  problem,
  hint,
  type = 'text',
  autocomplete = 'off',
  selectedLength,
  testId,
}: TextFieldProps) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    // behind the effect that opens the window and moves the focus
    if (selectedLength !== undefined) queueMicrotask(() => field.current?.setSelectionRange(0, selectedLength));
  }, []);
  return (
    <div class="field-block">
      <label class="field">
        <span>{label}</span>
        <input
          ref={field}
          type={type as 'text'} // the types want one at a time
          data-testid={testId}
          autocomplete={autocomplete}
          autocapitalize="none"
          spellcheck={false}
          value={value}
          aria-invalid={problem !== undefined}
          aria-describedby={`${id}-hint ${id}-problem`}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
      </label>
      {hint !== undefined && problem === undefined && (
        <span id={`${id}-hint`} class="field-hint">
          {hint}
        </span>
      )}
      <span id={`${id}-problem`} class="field-problem" role="alert">
        {problem}
      </span>
    </div>
  );
}
