/** Names of the files of test parts. */

import { basename } from "node:path"

/** Their names end with this, the seed where it is not 0, and `.csv`. */
export const TEST_PART = "test-part"

/** Whether a file of a data folder is the file of a test part, not a table of clips. */
export function isTestPartFile(file: string): boolean {
  return /(^|\.)test-part(\.seed-[^/]*)?\.csv$/.test(basename(file))
}
