// Reads an interval log with npm hdr-histogram-js, and prints what it holds as JSON.
const { readFileSync } = require("fs");
const { HistogramLogReader } = require("hdr-histogram-js");

const log = new HistogramLogReader(readFileSync(process.argv[2], "utf8"));
const lines = [];
for (let histogram; (histogram = log.nextIntervalHistogram()) !== null; ) {
  const buckets = [];
  const iterator = histogram.recordedValuesIterator;
  for (iterator.reset(); iterator.hasNext(); ) {
    const { valueIteratedTo, countAtValueIteratedTo } = iterator.next();
    buckets.push([valueIteratedTo, countAtValueIteratedTo]);
  }
  lines.push({
    tag: histogram.tag,
    begin_s: histogram.startTimeStampMsec / 1e3,
    length_s: (histogram.endTimeStampMsec - histogram.startTimeStampMsec) / 1e3,
    count: histogram.totalCount,
    max: histogram.maxValue,
    buckets,
    percentiles: [50, 90, 99, 99.9].map((percentile) => histogram.getValueAtPercentile(percentile)),
  });
}
console.log(JSON.stringify({ start_s: log.startTimeSec, lines }));
