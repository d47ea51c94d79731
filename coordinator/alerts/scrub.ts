/**
 * What a sink has answered, fit to be shown: servers like to repeat the path or the token that they were asked with.
 */
export function scrub(text: string, url: URL, secret: string | null): string {
  const parts = [
    secret ?? "",
    `${url.pathname}${url.search}`,
    url.search,
    url.username,
    url.password,
    ...url.searchParams.values(),
    ...url.pathname.split("/").filter((part) => part.length >= leastToken),
  ];
  const hidden = parts
    .flatMap((part) => [part, encodeURIComponent(part), decoded(part)])
    .flatMap((part) => [part, part.replaceAll("/", String.raw`\/`)])
    .filter((part) => part.length >= 3)
    .toSorted((a, b) => b.length - a.length);
  return hidden.reduce((rest, part) => rest.replaceAll(part, "[secret]"), text);
}

/** Shorter parts of a path are words such as `hook` or `alerts`. */
const leastToken = 8;

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
