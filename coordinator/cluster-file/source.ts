import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from "yaml";

/** A YAML text with the places of everything in it. */
export type YamlSource = {
  readonly file: string;
  readonly text: string;
  readonly document: Document.Parsed;
  /** `file:line:column` of the value at this path, or of the nearest thing around it that stands in the file. */
  readonly placeOf: (path: readonly PropertyKey[]) => string;
  /** The same for a key of the map at this path. */
  readonly placeOfKey: (path: readonly PropertyKey[], key: string) => string;
  readonly placeAt: (offset: number) => string;
};

export function readYaml(file: string, text: string): YamlSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeAt = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const startOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length > 0; length -= 1) {
      const found = document.getIn(path.slice(0, length), true);
      if (isNode(found) && found.range) return found.range[0];
    }
    return document.contents?.range?.[0] ?? 0;
  };
  return {
    file,
    text,
    document,
    placeAt,
    placeOf: (path) => placeAt(startOf(path)),
    placeOfKey: (path, key) => {
      const map = path.length === 0 ? document.contents : document.getIn(path, true);
      if (!isMap(map)) return placeAt(startOf(path));
      for (const pair of map.items) {
        if (!isPair(pair) || !isScalar(pair.key) || pair.key.value !== key) continue;
        return placeAt(pair.key.range?.[0] ?? startOf(path));
      }
      return placeAt(startOf(path));
    },
  };
}
