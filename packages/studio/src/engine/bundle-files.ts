/** Names of the files of a bundle, `bundle.json` first. */
export const BUNDLE_FILES = ["bundle.json", "model.onnx", "frame.onnx", "head.onnx"] as const
