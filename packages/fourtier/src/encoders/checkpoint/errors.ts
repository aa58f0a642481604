/** Errors about checkpoint files: not readable, or refused. */

import { FourtierError } from "@fourtier/tensor"

/** Bytes that are not a valid checkpoint. */
export function corrupt(where: string, found: string): FourtierError {
  return new FourtierError({
    where,
    what: "not a readable checkpoint",
    found,
    fix: "the file is corrupt, truncated or in another format: fetch it again",
  })
}

/** A file that asks for something that weights do not need. */
export function refused(where: string, what: string, found: string): FourtierError {
  return new FourtierError({
    where,
    what,
    expected: "tensors, numbers, texts, lists and dictionaries",
    found,
    fix: "if you trust the file, load it in Python and save model.state_dict() as safetensors",
  })
}
