/** `@fourtier/tensor/nn`: parameters by name, and the layers that networks are built from. */

export * from "./attention.ts"
export * from "./conv.ts"
export * from "./layers.ts"
export * from "./match-weights.ts"
export * from "./params.ts"
export * from "./rearrange.ts"
