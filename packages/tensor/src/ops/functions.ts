/** The functions that build graphs. Numbers stand for scalar constants; binary functions broadcast as NumPy does. */

export * from "./functions/binary.ts"
export * from "./functions/convolution.ts"
export * from "./functions/indexing.ts"
export * from "./functions/layout.ts"
export * from "./functions/linear.ts"
export * from "./functions/normalization.ts"
export * from "./functions/random.ts"
export * from "./functions/reduction.ts"
export * from "./functions/regions.ts"
export * from "./functions/unary.ts"
