"""Models of other families than the decoder's, on the modeling code of transformers and PEFT."""
