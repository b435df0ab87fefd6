#![no_main]
stella_fuzz::sender!(Dockerhub);
