/**
 * A count and its noun: "1 clip", "2 clips", "0 classes".
 *
 * @example
 * ```ts
 * import { plural } from "@fourtier/core"
 *
 * plural(1, "class", "classes") // "1 class"
 * plural(2, "clip") // "2 clips"
 * ```
 */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
