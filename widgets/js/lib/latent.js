// latent.js - a variational autoencoder's encoder and decoder on pictures of bytes.

import { sigmoid } from "./engine.js";
import { bytesToInk } from "./pictures.js";

/** What `decoder` draws at `z`: 784 probabilities of ink as bytes. */
export function decodeDigit(decoder, z) {
  return Uint8ClampedArray.from(decoder.forward(Float32Array.from(z)), (logit) => 255 * sigmoid(logit));
}

/** The mean and the standard deviations of the encoder's answer to a picture of 784 bytes. */
export function encodeDigit(encoder, image) {
  const output = encoder.forward(bytesToInk(image));
  const half = output.length / 2;
  return {
    mean: Array.from(output.subarray(0, half)),
    sd: Array.from(output.subarray(half), (logVariance) => Math.exp(logVariance / 2)),
  };
}
