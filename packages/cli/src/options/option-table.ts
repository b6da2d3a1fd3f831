import { bytesText, durationText } from './quantities.js';

interface Described {
  /** One clause for help and documentation, without a full stop. */
  readonly summary: string;
  /** One letter. */
  readonly short?: string;
}

interface Valued extends Described {
  /** What stands for the value in help: `N`, `FILE`, `HOST:PORT`. */
  readonly placeholder: string;
}

interface Ranged extends Valued {
  /** Smallest and largest value that is accepted. */
  readonly min: number;
  readonly max: number;
  /** Without one, the value of an option that is not given is `undefined`. */
  readonly default?: number;
}

export interface FlagOption extends Described {
  readonly kind: 'flag';
}

export interface StringOption extends Valued {
  readonly kind: 'string';
  readonly default?: string;
  /** May be given any number of times; the value is a list. */
  readonly repeatable?: true;
}

export interface IntegerOption extends Ranged {
  readonly kind: 'integer';
}

/** `6000` or `6s` on the command line, milliseconds in the program. */
export interface DurationOption extends Ranged {
  readonly kind: 'duration';
}

/** `64KiB` on the command line, bytes in the program. */
export interface BytesOption extends Ranged {
  readonly kind: 'bytes';
}

export interface ChoiceOption extends Valued {
  readonly kind: 'choice';
  readonly choices: readonly string[];
  readonly default: string;
}

/** Any of the choices, each given by an option of its own; the value is a list. */
export interface ChoicesOption extends Valued {
  readonly kind: 'choices';
  readonly choices: readonly string[];
}

/** `HOST:PORT`, `[::1]:PORT`; port 0 lets the system choose. */
export interface AddressOption extends Valued {
  readonly kind: 'address';
  readonly default: string;
}

export interface Address {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

export type Option =
  | FlagOption
  | StringOption
  | IntegerOption
  | DurationOption
  | BytesOption
  | ChoiceOption
  | ChoicesOption
  | AddressOption;

/** Long names, without dashes, and what they take: the one source for parsing, checks, help and documentation. */
export type OptionTable = Readonly<Record<string, Option>>;

type OptionValue<O extends Option> = O extends FlagOption
  ? boolean
  : O extends AddressOption
    ? Address
    : O extends ChoiceOption
      ? O['choices'][number]
      : O extends ChoicesOption
        ? readonly O['choices'][number][]
        : O extends StringOption
          ? O extends { readonly repeatable: true }
            ? readonly string[]
            : O extends { readonly default: string }
              ? string
              : string | undefined
          : O extends { readonly default: number }
            ? number
            : number | undefined;

/** The values of a command line, every default filled in. */
export type OptionValues<T extends OptionTable> = { readonly [Name in keyof T]: OptionValue<T[Name]> };

/** The default as one would write it on the command line; `undefined` for options that have none. */
export function defaultText(option: Option): string | undefined {
  switch (option.kind) {
    case 'flag':
    case 'choices':
      return undefined;
    case 'duration':
      return option.default === undefined ? undefined : durationText(option.default);
    case 'bytes':
      return option.default === undefined ? undefined : bytesText(option.default);
    case 'integer':
      return option.default === undefined ? undefined : String(option.default);
    default:
      return option.default;
  }
}

/** Whether the option may be given more than once, all of which count. */
export function isRepeatable(option: Option): boolean {
  return option.kind === 'choices' || (option.kind === 'string' && option.repeatable === true);
}
