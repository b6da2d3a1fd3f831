/** `A` to `Z` become small, everything else stays: names compare the same on every machine. Specification 3.2, rule 6 (D23). */
export function asciiFold(text: string): string {
  if (!/[A-Z]/.test(text)) return text;
  // Of ASCII alone both do the same; `toLowerCase` is several times as fast, and names come by the ten thousand in a second.
  return /[^\0-\x7f]/.test(text) ? text.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase()) : text.toLowerCase();
}
