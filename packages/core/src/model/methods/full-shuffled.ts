/**
 * The control of the full method: the same network and training, with the answers shuffled among the training clips. What the
 * full method has above it is what the words add.
 */

import { fullMethod } from "./full.ts"
import { defineMethod } from "./method.ts"

export const fullShuffledMethod = defineMethod({
  ...fullMethod,
  name: "full-shuffled",
  title: "full, shuffled answers",
  shuffled: true,
})
