/**
 * `@fourtier/tensor/nn`: parameters by name, and the layers that networks are built from.
 *
 * @module
 */

export { type SelfAttentionOptions, selfAttention } from "./attention.ts"
export { conv3x3, depthwise3x3 } from "./conv.ts"
export { type Dropout, drop, type LinearOptions, layerNorm, linear } from "./layers.ts"
export { type MatchOptions, matchWeights, type WeightMatch } from "./match-weights.ts"
export {
  constantInit,
  glorot,
  type Init,
  identity,
  initialize,
  ones,
  type Param,
  Scope,
  selectWeights,
  truncatedNormal,
  type Weights,
  zeros,
} from "./params.ts"
export { rearrange } from "./rearrange.ts"
