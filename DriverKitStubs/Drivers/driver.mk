# What each driver's Makefile includes: one object from one source, against the installed headers and nothing else.
# make INCLUDE=…/build/include OUT=…/drivers
INCLUDE ?= ../../../build/include
OUT ?= ../../../build/drivers
CC ?= cc
CFLAGS ?= -O2
DRIVER_FLAGS := -std=c11 -Wall -Wextra -Werror -fPIC -fvisibility=hidden -shared -Wl,-z,defs -Wl,--as-needed -I$(INCLUDE)

$(OUT)/$(NAME).so: $(NAME).c $(wildcard $(INCLUDE)/driver.h $(INCLUDE)/driver/*.h)
	@mkdir -p $(OUT)
	@$(CC) $(DRIVER_FLAGS) $(CFLAGS) -o $@.new $<
	@mv -f $@.new $@
