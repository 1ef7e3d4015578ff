"""Where contacts stand: points given by hand, stages, funnels, RFM reports and predictions."""
