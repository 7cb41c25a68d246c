mod campaigns;
mod runs;
