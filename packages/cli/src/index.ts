export type { CommandDefinition, Example, Invocation } from './command.js';
export { commands } from './command-list.js';
export { optionDescription, optionSyntax } from './help.js';
export { main } from './main.js';
export type { Option, OptionTable, OptionValues } from './options/option-table.js';
export { defaultText, isRepeatable } from './options/option-table.js';
