/** Results on standard output. */

import { folded } from "@fourtier/core/node"

/** Prints lines that are meant for people: folded at words in a terminal, as they are in a file or a pipe. */
export function printFolded(text: string): void {
  const { isTTY, columns } = process.stdout
  process.stdout.write(isTTY ? folded(text, columns) : text)
}
