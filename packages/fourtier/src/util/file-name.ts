/** Names of files that every file system takes. */

import { createHash } from "node:crypto"

/** Bytes that file systems allow for one name. */
const LONGEST = 255

/**
 * `<name><suffix>`; where that is longer than file systems allow, the end of the name gives way to a hash of it.
 * @param name may hold folders, separated by "/"
 */
export function fileNamed(name: string, suffix: string): string {
  const slash = name.lastIndexOf("/") + 1
  const last = name.slice(slash)
  if (Buffer.byteLength(last + suffix) <= LONGEST) return name + suffix
  const end = `~${createHash("sha256").update(name).digest("hex").slice(0, 8)}${suffix}`
  const letters = [...last]
  while (Buffer.byteLength(letters.join("") + end) > LONGEST) letters.pop()
  return `${name.slice(0, slash)}${letters.join("")}${end}`
}
