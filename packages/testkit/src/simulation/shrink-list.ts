/**
 * Looks for a shortest part of a list that still fails (delta debugging): leaves out ever smaller runs of it, until nothing can be left out.
 *
 * @param fails whether this part fails
 * @param maxTries calls of `fails` at most
 * @returns the shortest list that was seen to fail; `list` itself is taken to
 */
export async function shrinkList<T>(
  list: readonly T[],
  fails: (part: readonly T[]) => Promise<boolean>,
  maxTries: number,
): Promise<readonly T[]> {
  let shortest = list;
  let tries = 0;
  for (let run = Math.ceil(list.length / 2); run >= 1; ) {
    let hasShrunk = false;
    // From the end: what came after the failure goes first.
    for (let at = shortest.length - run; at > -run && shortest.length > 0; at -= run) {
      const from = Math.max(at, 0);
      const part = [...shortest.slice(0, from), ...shortest.slice(at + run)];
      if (part.length === shortest.length) continue;
      if (tries >= maxTries) return shortest;
      tries += 1;
      if (await fails(part)) {
        shortest = part;
        hasShrunk = true;
      }
    }
    if (run > 1) run = Math.ceil(run / 2);
    else if (!hasShrunk) break;
  }
  return shortest;
}
