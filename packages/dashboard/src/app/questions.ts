import { signal } from '@preact/signals';

/** Something that a user is asked before it is done. */
export interface Question {
  readonly title: string;
  readonly text: string;
  /** What the button says that does it. */
  readonly action: string;
  /** Whether it cannot be taken back. */
  readonly isDangerous?: boolean;
  /** Asks for a text, too. */
  readonly input?: QuestionInput;
}

export interface QuestionInput {
  readonly label: string;
  /** What stands there from the beginning. @default '' */
  readonly value?: string;
  /** How many characters of it are selected, so that typing replaces them. @default all */
  readonly selectedLength?: number;
  /** What is wrong with a text. */
  readonly problem: (text: string) => string | undefined;
}

export interface OpenQuestion extends Question {
  readonly answer: (text: string | undefined) => void;
}

/** Asks one thing at a time, in a dialog. */
export class Questions {
  readonly open = signal<OpenQuestion | undefined>(undefined);

  async confirm(question: Question): Promise<boolean> {
    return (await this.text(question)) !== undefined;
  }

  /** @returns the text, empty where none is asked for; `undefined` when the user does not want to */
  text(question: Question): Promise<string | undefined> {
    this.open.value?.answer(undefined);
    return new Promise((resolve) => {
      this.open.value = {
        ...question,
        answer: (text) => {
          this.open.value = undefined;
          resolve(text);
        },
      };
    });
  }
}
