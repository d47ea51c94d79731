/** Something that is broken until it is healed; leaving its scope heals it. Healing twice is once. */
export type Fault = AsyncDisposable & { heal(): Promise<void> };

export function faultUntil(healing: () => Promise<void>): Fault {
  let healed: Promise<void> | null = null;
  const heal = (): Promise<void> => (healed ??= healing());
  return { heal, [Symbol.asyncDispose]: heal };
}
