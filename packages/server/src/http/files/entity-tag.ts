import type { ExistingFile } from '../../storage/existing-file.js';

/** A validator of RFC 9110, section 8.8.3, as it stands in a header. */
export type EntityTag = string;

/** What a file is known by: the content digest, where one is recorded; else, weakly, its size and when it was changed. */
export function entityTagOf({ size, modifiedNs, recorded }: ExistingFile): EntityTag {
  return recorded ? `"${recorded.contentDigest}"` : `W/"${size.toString(16)}-${modifiedNs.toString(16)}"`;
}

export function isStrong(tag: EntityTag): boolean {
  return tag.startsWith('"');
}

/** RFC 9110, section 8.8.3.2: for caches, where the same meaning is enough. */
function isSameWeakly(one: EntityTag, other: EntityTag): boolean {
  return one.replace(/^W\//, '') === other.replace(/^W\//, '');
}

/** `undefined` for `*`. What is no list of tags has none in it, so it fits nothing. */
function tagsOf(header: string): EntityTag[] | undefined {
  if (header.trim() === '*') return undefined;
  return header.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? [];
}

/** Headers that make a request depend on what is there. */
export interface Conditions {
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
  readonly ifUnmodifiedSince: string | undefined;
}

export type ConditionOutcome = 'fulfilled' | 'not-modified' | 'failed';

/**
 * RFC 9110, section 13.2.2.
 *
 * @param existing what is there; `undefined` for nothing
 * @param isReading whether a file that has not changed need not be sent
 */
export function evaluate(
  conditions: Conditions,
  existing: ExistingFile | undefined,
  isReading: boolean,
): ConditionOutcome {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions;
  const tag = existing && entityTagOf(existing);
  if (ifMatch !== undefined) {
    const wanted = tagsOf(ifMatch);
    const isThere = tag !== undefined && (wanted === undefined || (isStrong(tag) && wanted.includes(tag)));
    if (!isThere) return 'failed';
  } else if (ifUnmodifiedSince !== undefined) {
    const sinceMs = Date.parse(ifUnmodifiedSince);
    if (!Number.isNaN(sinceMs) && (!existing || secondsOf(existing) * 1000 > sinceMs)) return 'failed';
  }
  if (ifNoneMatch !== undefined) {
    const known = tagsOf(ifNoneMatch);
    const isKnown = tag !== undefined && (known === undefined || known.some((one) => isSameWeakly(one, tag)));
    if (isKnown) return isReading ? 'not-modified' : 'failed';
  } else if (isReading && existing && ifModifiedSince !== undefined) {
    const sinceMs = Date.parse(ifModifiedSince);
    if (!Number.isNaN(sinceMs) && secondsOf(existing) * 1000 <= sinceMs) return 'not-modified';
  }
  return 'fulfilled';
}

/** Whether a range of the file may be sent to who has another part of it. RFC 9110, section 13.1.5. */
export function isSameForRange(ifRange: string | undefined, existing: ExistingFile, nowMs: number): boolean {
  if (ifRange === undefined) return true;
  const tag = entityTagOf(existing);
  if (/^(?:W\/)?"/.test(ifRange)) return isStrong(tag) && ifRange === tag;
  const modifiedMs = secondsOf(existing) * 1000;
  // Within a second a file may change twice.
  return Date.parse(ifRange) === modifiedMs && nowMs - modifiedMs >= 2000;
}

export function lastModifiedOf(existing: ExistingFile): string {
  return new Date(secondsOf(existing) * 1000).toUTCString();
}

function secondsOf({ modifiedNs }: ExistingFile): number {
  return Number(modifiedNs / 1_000_000_000n);
}
