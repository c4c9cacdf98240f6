// What a caption must be before the server takes it; the same rules as caption_text of amidst/crowd/validation.py.

const LINK = /:\/\/|www\.|(?<![\p{L}\p{N}_])[\p{L}\p{N}_-]+\.(com|net|org|io|ru|cn)(?![\p{L}\p{N}_])/iu;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}]/u;

/** @typedef {{min_words: number, max_words: number}} Limits */

/** @param {string} text */
export function wordsOf(text) {
  return text.split(/\s+/u).filter(Boolean).length;
}

/** What is sent: composed letters, single spaces. A line's end is a space. @param {string} text */
export function tidied(text) {
  return text.normalize("NFC").replace(/\s+/gu, " ").trim();
}

/**
 * Every rule, and whether the text keeps it.
 * @param {string} text
 * @param {Limits} limits
 * @returns {{rule: string, kept: boolean, problem: string, always: boolean, waits?: boolean}[]} always: shown before it
 *   is broken; waits: writing on will keep it
 */
export function checked(text, { min_words: least, max_words: most }) {
  const clean = tidied(text);
  const words = wordsOf(clean);
  const missing = least - words;
  return [
    { rule: `At least ${least} words`, always: true, waits: true, kept: words >= least, problem: `${missing} more ${missing === 1 ? "word" : "words"}, please.` },
    { rule: `At most ${most} words`, always: true, kept: words <= most, problem: `The text has ${words} words; ${most} are the most.` },
    { rule: "No links", always: true, kept: !LINK.test(clean), problem: "The text has a link; leave it out." },
    { rule: "Only signs that can be seen", always: false, kept: !UNSEEN.test(clean), problem: "The text has a sign that cannot be shown; leave it out." },
  ];
}
