import * as fc from "fast-check";

/** The seed makes every run the same one. `FUZZ_RUNS=20000` makes it a long one. */
const sampling = { seed: 20261122, numRuns: Number(process.env["FUZZ_RUNS"] ?? 1500) };

export function samples<T>(arbitrary: fc.Arbitrary<T>, share = 1): readonly T[] {
  return fc.sample(arbitrary, { ...sampling, numRuns: Math.ceil(sampling.numRuns * share) });
}

/** One of the words, which stand between bars. */
export function oneOf(words: string): fc.Arbitrary<string> {
  return fc.constantFrom(...words.split("|"));
}

/** One of the usual words most of the time. */
export function mostly(usual: string, odd: string): fc.Arbitrary<string> {
  return fc.oneof({ weight: 5, arbitrary: oneOf(usual) }, oneOf(odd));
}

/** Any words in any order. */
export function soupOf(words: string, maxLength: number): fc.Arbitrary<string> {
  const pieces = fc.array(oneOf(words), { minLength: 1, maxLength });
  return pieces.map((all) => all.join(""));
}
