#![no_main]
stella_fuzz::rule!(messages);
