# What the Makefile of a driver in Embedded Swift includes: one object from one source, against the installed headers and nothing else.
# make INCLUDE=…/build/include OUT=…/drivers; NAME, VERSION, INFO, and MODEL where it drives a device, are the Makefile's.
INCLUDE ?= ../../../build/include
OUT ?= ../../../build/drivers
CC ?= cc
SWIFTC ?= swiftc
SOURCE ?= $(NAME).swift
OBJECTS = $(OUT)/.$(NAME)
ENTRY = -DDRV_SWIFT_NAME='"$(NAME)"' -DDRV_SWIFT_VERSION='"$(VERSION)"' -DDRV_SWIFT_INFO='"$(INFO)"' $(if $(MODEL),-DDRV_SWIFT_MODEL='"$(MODEL)"')

$(OUT)/$(NAME).so: $(SOURCE) $(wildcard $(INCLUDE)/driver.h $(INCLUDE)/driver/*)
	@mkdir -p $(OBJECTS)
	@$(SWIFTC) -swift-version 6 -enable-experimental-feature Embedded -wmo -O -parse-as-library -module-name Driver $(SWIFTFLAGS) \
		-import-objc-header $(INCLUDE)/driver.h -c -o $(OBJECTS)/swift.o $(SOURCE) $(INCLUDE)/driver/Services.swift
	@$(CC) -std=c11 -Wall -Wextra -Werror -fPIC $(ENTRY) -c -x c -o $(OBJECTS)/entry.o $(INCLUDE)/driver/drvSwift.h
	@$(CC) -shared -Wl,-z,defs -Wl,--as-needed -Wl,--gc-sections -Wl,--version-script=$(INCLUDE)/driver/driver.map -o $@.new \
		$(OBJECTS)/swift.o $(OBJECTS)/entry.o
	@rm -rf $(OBJECTS)
	@mv -f $@.new $@
