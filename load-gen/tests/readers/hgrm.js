// Decodes the histograms on standard input, one a line in base64, and prints the percentile distributions that
// npm hdr-histogram-js makes of them as a JSON array.
const { readFileSync } = require("fs");
const { decodeFromCompressedBase64 } = require("hdr-histogram-js");

const lines = readFileSync(0, "utf8").trim().split("\n");
// Counts of 64 bits: a run can have more than four thousand million samples.
const texts = lines.map((line) => decodeFromCompressedBase64(line, 64).outputPercentileDistribution(5, 1000));
console.log(JSON.stringify(texts));
