// Drives the IOMMU's register bus (docs/interfaces.md section 5) with the accesses of the native CPU.
module register_bus_initiator (
    input  bit          clk_i,
    input  bit          rst_i,
    input  bit [63:0]   cycle_i,
    output bit          valid_o,
    output bit          write_o,
    output bit [11:0]   address_o,
    output bit [63:0]   wdata_o,
    output bit [7:0]    strobe_o,
    input  logic        ready_i,
    input  logic [63:0] rdata_i
);
  import "DPI-C" context function int sluicegate_register_access(
      input longint cycle, output int write, output int address, output longint data, output int strobe);
  import "DPI-C" context function void sluicegate_register_done(
      input longint cycle, input int write, input int address, input longint data, input int strobe);

  int write;
  int address;
  int strobe;
  longint data;
  bit settling = 1'b0;   // the access that just ended leaves the native queue in the next cycle

  always @(posedge clk_i) begin
    if (rst_i) begin
      valid_o <= 1'b0;
      settling <= 1'b0;
    end else if (valid_o) begin
      if (ready_i) begin
        sluicegate_register_done(cycle_i, 32'(write_o), 32'(address_o), write_o ? wdata_o : rdata_i, 32'(strobe_o));
        valid_o <= 1'b0;
        settling <= 1'b1;
      end
    end else if (settling) begin
      settling <= 1'b0;
    end else if (sluicegate_register_access(cycle_i, write, address, data, strobe) != 0) begin
      valid_o <= 1'b1;
      write_o <= write[0];
      address_o <= address[11:0];
      wdata_o <= data;
      strobe_o <= strobe[7:0];
    end
  end
endmodule
