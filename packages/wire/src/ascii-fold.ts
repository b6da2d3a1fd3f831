/** `A` to `Z` become small, everything else stays: names compare the same on every machine. Specification 3.2, rule 6 (D23). */
export function asciiFold(text: string): string {
  return /[A-Z]/.test(text) ? text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase()) : text;
}
