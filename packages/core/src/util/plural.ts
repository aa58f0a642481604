/** A count and its noun: "1 clip", "2 clips", "0 classes". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
