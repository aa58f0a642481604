/** The two ways in which a checkpoint file is turned away. */

import { FourtierError } from "@fourtier/tensor"

/** Bytes that are no valid checkpoint. */
export function corrupt(where: string, found: string): FourtierError {
  return new FourtierError({
    where,
    what: "not a readable checkpoint",
    found,
    fix: "the file is corrupt, truncated or of another format: fetch it again",
  })
}

/** A file that wants something that a file of weights has no need of. */
export function refused(where: string, what: string, found: string): FourtierError {
  return new FourtierError({
    where,
    what,
    expected: "tensors, numbers, texts, lists and dictionaries",
    found,
    fix: "if you trust the file, load it in Python and save model.state_dict() as safetensors",
  })
}
