/**
 * Writes a LLaVA of random weights as transformers.js reads it: three ONNX graphs, tokeniser, configs. The "decoder" adds the
 * mean of everything seen so far to each token, so that what it says depends on the image.
 */

import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Rng } from "@fourtier/tensor"
import {
  type AttributeProto,
  DataType,
  encodeModel,
  type NodeProto,
  type TensorProto,
  type ValueInfo,
} from "@fourtier/tensor/onnx"

const WIDTH = 16
const rng = new Rng(3)

function random(name: string, ...dims: number[]): TensorProto {
  const count = dims.reduce((product, side) => product * side, 1)
  const values = Float32Array.from({ length: count }, () => rng.uniform(-1, 1))
  return { name, dims, dataType: DataType.FLOAT, rawData: new Uint8Array(values.buffer) }
}

function whole(name: string, ...values: number[]): TensorProto {
  const data = BigInt64Array.from(values, BigInt)
  return { name, dims: [values.length], dataType: DataType.INT64, rawData: new Uint8Array(data.buffer) }
}

const node = (opType: string, inputs: string[], output: string, attributes: AttributeProto[] = []): NodeProto => ({
  name: output,
  opType,
  domain: "",
  inputs,
  outputs: [output],
  attributes,
})

const value = (name: string, elemType: number, ...dims: (number | string)[]): ValueInfo => ({ name, elemType, dims })

function graph(
  file: string,
  inputs: ValueInfo[],
  outputs: ValueInfo[],
  initializers: TensorProto[],
  nodes: NodeProto[],
): void {
  const body = { name: "g", nodes, initializers, inputs, outputs, valueInfo: [] }
  const model = {
    irVersion: 9,
    opsetImport: [{ domain: "", version: 17 }],
    producerName: "test",
    graph: body,
    metadataProps: {},
  }
  writeFileSync(file, encodeModel(model))
}

/** @param folder becomes the model's folder */
export function writeTinyLlava(folder: string): void {
  mkdirSync(join(folder, "onnx"), { recursive: true })
  const words = ["<unk>", "<s>", "</s>", "<image>", ..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ?:.,\n"]
  const { FLOAT, INT64 } = DataType
  const embeds = value("inputs_embeds", FLOAT, 1, "L", WIDTH)
  const past = ["key", "value"].map((part) => value(`past_key_values.0.${part}`, FLOAT, 1, 1, "P", WIDTH))
  const present = ["key", "value"].map((part) => value(`present.0.${part}`, FLOAT, 1, 1, "S", WIDTH))
  graph(
    join(folder, "onnx/embed_tokens.onnx"),
    [value("input_ids", INT64, 1, "L")],
    [embeds],
    [random("table", words.length, WIDTH)],
    [node("Gather", ["table", "input_ids"], "inputs_embeds")],
  )
  graph(
    join(folder, "onnx/vision_encoder.onnx"),
    [value("pixel_values", FLOAT, "B", 3, 28, 28)],
    [value("image_features", FLOAT, "B", 4, WIDTH)],
    [random("kernel", WIDTH, 3, 14, 14), whole("shape", 0, WIDTH, 4)],
    [
      node("Conv", ["pixel_values", "kernel"], "patches", [{ name: "strides", kind: "ints", value: [14, 14] }]),
      node("Reshape", ["patches", "shape"], "rows"),
      node("Transpose", ["rows"], "image_features", [{ name: "perm", kind: "ints", value: [0, 2, 1] }]),
    ],
  )
  const axis = (at: number): AttributeProto => ({ name: "axis", kind: "int", value: at })
  graph(
    join(folder, "onnx/decoder_model_merged.onnx"),
    [embeds, value("attention_mask", INT64, 1, "S"), ...past],
    [value("logits", FLOAT, 1, "L", words.length), ...present],
    [random("head", WIDTH, words.length), whole("one", 1)],
    [
      node("Unsqueeze", ["inputs_embeds", "one"], "seen"),
      node("Concat", ["past_key_values.0.key", "seen"], "present.0.key", [axis(2)]),
      node("Concat", ["past_key_values.0.value", "seen"], "present.0.value", [axis(2)]),
      node("ReduceMean", ["present.0.key"], "mean", [{ name: "axes", kind: "ints", value: [2] }]),
      node("Squeeze", ["mean", "one"], "context"),
      node("Add", ["inputs_embeds", "context"], "mixed"),
      node("MatMul", ["mixed", "head"], "logits"),
    ],
  )
  writeConfigs(folder, words)
}

function writeConfigs(folder: string, words: string[]): void {
  const write = (name: string, content: object) => writeFileSync(join(folder, name), JSON.stringify(content))
  const text = {
    model_type: "llama",
    num_hidden_layers: 1,
    num_attention_heads: 1,
    num_key_value_heads: 1,
    hidden_size: WIDTH,
    head_dim: WIDTH,
  }
  write("config.json", {
    model_type: "llava",
    architectures: ["LlavaForConditionalGeneration"],
    image_token_index: 3,
    text_config: { ...text, vocab_size: words.length },
    vision_config: { image_size: 28, patch_size: 14 },
  })
  write("generation_config.json", { bos_token_id: 1, eos_token_id: 2 })
  const size = { height: 28, width: 28 }
  write("preprocessor_config.json", {
    processor_class: "LlavaProcessor",
    image_processor_type: "CLIPImageProcessor",
    do_resize: true,
    size,
    do_center_crop: true,
    crop_size: size,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
    resample: 2,
  })
  write("processor_config.json", {
    processor_class: "LlavaProcessor",
    image_token: "<image>",
    patch_size: 14,
    num_additional_image_tokens: 0,
  })
  const special = ["<unk>", "<s>", "</s>", "<image>"].map((content, id) => ({
    id,
    content,
    special: true,
    lstrip: false,
    rstrip: false,
    normalized: false,
    single_word: false,
  }))
  write("tokenizer.json", {
    version: "1.0",
    added_tokens: special,
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: "Fuse" },
    model: {
      type: "BPE",
      unk_token: "<unk>",
      vocab: Object.fromEntries(words.map((word, id) => [word, id])),
      merges: [],
    },
  })
  write("tokenizer_config.json", {
    tokenizer_class: "PreTrainedTokenizerFast",
    processor_class: "LlavaProcessor",
    unk_token: "<unk>",
    eos_token: "</s>",
    clean_up_tokenization_spaces: false,
    chat_template:
      "{% for message in messages %}USER: {% for part in message['content'] %}{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %} ASSISTANT:",
  })
}
