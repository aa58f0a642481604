/** Finds keys that a JSON text gives twice in one object: `JSON.parse` keeps the last of them without a word. */

/** @param text valid JSON. @returns the first key found twice in one object */
export function findDuplicateKey(text: string): string | undefined {
  /** The keys of each object that is open; null for an open array. */
  const open: (Set<string> | null)[] = []
  let keyNext = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (char === '"') {
      const begin = i
      for (i++; text[i] !== '"'; i++) if (text[i] === "\\") i++
      const keys = open.at(-1)
      if (!keyNext || !keys) continue
      const key = String(JSON.parse(text.slice(begin, i + 1)))
      if (keys.has(key)) return key
      keys.add(key)
      keyNext = false
    } else if (char === "{") {
      open.push(new Set())
      keyNext = true
    } else if (char === "[") {
      open.push(null)
      keyNext = false
    } else if (char === "}" || char === "]") {
      open.pop()
      keyNext = false
    } else if (char === ",") keyNext = open.at(-1) !== null
  }
  return undefined
}
